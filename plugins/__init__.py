"""The built-in plugins, which the service finds as `mooring.plugins`. Each comes in by the same door as anybody else's."""
