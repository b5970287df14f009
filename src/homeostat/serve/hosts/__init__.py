"""Models in processes of their own: their code may hold the interpreter, hang, leak or die, and only their version notices."""
