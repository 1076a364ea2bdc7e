"""Veda's brokers: accounts, their keys, and the adapters that speak with a broker. The only package with broker HTTP."""
