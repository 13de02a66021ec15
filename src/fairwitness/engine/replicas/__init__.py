"""Many engines behind one door (`door.py`). Needs the extra `replicas`."""
