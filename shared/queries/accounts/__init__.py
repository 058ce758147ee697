"""Who calls: users and keys; what they did; which of their requests were answered before."""
