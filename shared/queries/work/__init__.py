"""The life of work: claim, settle, renew, sweep; the order of locks; what follows an end; why one waits."""
