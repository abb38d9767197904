"""
A
=
"""

print(1)
