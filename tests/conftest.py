"""What all tests share: the test kit for plugins."""

pytest_plugins = ["mooring.testing", "pytester"]
