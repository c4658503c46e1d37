"""The kit that replaces audit triggers by service calls, and proves that nothing is missed."""
