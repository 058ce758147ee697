"""Scripts of modules: the sandbox that runs them, and the `ctx` that they call."""
