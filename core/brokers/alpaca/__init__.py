"""What the adapter for Alpaca is made of: addresses, words, answers, orders, prices and streams."""
