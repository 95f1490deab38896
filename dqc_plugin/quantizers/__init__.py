"""NNI quantizers on codebooks; ``dqc_plugin.quantizers.options`` stays importable without NNI."""
