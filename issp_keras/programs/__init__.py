"""What the console commands do. The programs know the library."""
