"""`python -m realtime doctor`: looks at the machine and the settings, and says what to mend.

A check is a function that is given a `Situation` and returns findings. It imports what it needs when it runs:
the doctor itself needs nothing but the standard library, so that it can say what is not installed.
"""
