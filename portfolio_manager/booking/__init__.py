"""The books in the database: stored facts folded in, under one lock per account."""

from portfolio_manager.booking.books import book, booking, catch_up

__all__ = ["book", "booking", "catch_up"]
