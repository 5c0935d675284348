"""The console at `/console`: what came in, what failed and why, and mending it, in a browser.

Server-rendered, German with English as the second language, without any outside asset. The kernel knows its pages,
sign-in and look; what only a service knows comes in as a `Section`. `install.install_console` puts it together.
"""
