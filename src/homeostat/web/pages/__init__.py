"""Pages for people: rendered on the server, without scripts, every word from the data escaped. Whatever they show, their JSON twin says too."""
