"""Short ways, a file for each protocol that has one."""
