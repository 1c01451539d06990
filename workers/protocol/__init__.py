"""Messages between the worker, its attempts and the child processes, as typed JSON.

Here: dataclasses and their encoding. Never: behaviour.
"""
