"""Workbooks, slides, OpenDocuments, mails and files of rows."""
