#!/bin/bash
# What people call from a vrrp_script: does Redis answer, and has it a role?
redis-cli ping | grep -q PONG || exit 1
redis-cli info replication | grep -q '^role:'
