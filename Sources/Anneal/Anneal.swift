@_exported import AnnealCompiler
@_exported import AnnealCore
@_exported import AnnealData
@_exported import AnnealGraph
@_exported import AnnealNetworks
@_exported import AnnealONNX
@_exported import AnnealReport
@_exported import AnnealTrain
