"""What the embedded stack is made of and made ready with: the plan, migrations, the environment of its processes."""
