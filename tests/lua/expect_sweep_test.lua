-- Whatever the segments of TCP.
require "expect_sweep"(require("conn_pair").pair)
