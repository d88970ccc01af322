"""From a request to its result: engine, attempts, session. The only floor that knows aiohttp."""
