"""Where and how runs execute. A run is one process, `mmspec execute RUN_DIR`: killed and started again,
it goes on; finished, it does nothing. A launcher only has to start, watch and retry such processes.
"""
