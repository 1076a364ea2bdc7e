"""What the test run forbids beyond what pytest knows: unexpected warnings in the log, the network, and things left behind."""
