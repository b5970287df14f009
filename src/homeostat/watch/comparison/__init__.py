"""Two tables held against each other, column by column: from their rows where these fit into memory, else from their profiles."""
