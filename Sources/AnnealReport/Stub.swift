import AnnealCore
