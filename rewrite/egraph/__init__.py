"""rewrite/egraph"""
