"""What stands behind ./kevlar: it starts machines, makes their roots, and runs the tests in them."""
