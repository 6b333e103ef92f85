"""How a coordinator is verified: kernel, parts, properties, traces, worlds."""
