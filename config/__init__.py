"""Settings, recipes, the message schema and the error tree: plain values that every other part builds on."""
