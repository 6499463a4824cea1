# Debian makes these folders for its own layout; ours are those of the official image.
rm -rf /usr/local/lib/python3*
/usr/bin/python3 -m venv /usr/local
rm -f /usr/local/bin/activate* /usr/local/bin/Activate* /usr/local/.gitignore
# pip is for builds: its byte code would be a third of this layer.
find /usr/local/lib -depth -type d -name __pycache__ -exec rm -rf {} +
