"""How many servers a load needs, from what their steps were measured to cost."""
