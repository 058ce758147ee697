"""What leaves the process: the guard, addresses, faults in words, the breaker."""
