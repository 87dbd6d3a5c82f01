async def run(directory, logs, rounds): return []
