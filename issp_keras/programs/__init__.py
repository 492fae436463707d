"""The console commands. They use the library."""
