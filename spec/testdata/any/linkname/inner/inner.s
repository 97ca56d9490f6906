// Go takes a package for complete, and refuses functions without a body, unless it has assembly.
