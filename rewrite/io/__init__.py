"""rewrite/io"""
