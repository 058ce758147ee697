"""Personas, their modules, and those that every installation has."""
