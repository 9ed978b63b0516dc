from served import site, work

__all__ = ["site", "work"]
