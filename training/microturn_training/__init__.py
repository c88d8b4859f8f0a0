"""The recipe that makes `mini`: data, model, training, evaluation, export. `docs/models.md` fixes what it must match."""
