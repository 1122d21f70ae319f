"""The study of one table that `loopcore run` makes: its loop followed, its report."""
