# Each plugin's own tests need it to be installed; tests/conformance/test_plugins.py does so.
collect_ignore_glob = ["*/tests/*"]
