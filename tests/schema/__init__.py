"""Tests of execution, fan-out, transports and server, over real sockets."""
