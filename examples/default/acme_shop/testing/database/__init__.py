"""What the layer does with the test database: rollback, seeds, reuse, and never development's."""
