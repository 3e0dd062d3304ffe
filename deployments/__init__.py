"""WHERE: settings per installation, the local stack, automations. Imported by nobody."""
