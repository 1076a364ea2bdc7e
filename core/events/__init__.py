"""Events: envelope, typed payloads, registry, log port and subscriptions."""
