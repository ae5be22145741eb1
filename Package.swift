// swift-tools-version: 6.1
import PackageDescription

// Arrows point to what is imported; no cycles:
//   Core ← Graph ← Networks
//   Core ← Data (records, images)          Graph ← Compiler ← Train ← Report
//   Compiler ← CPU (kernels, oneDNN)       Compiler ← Reference (plain loops)
//   Compiler ← XLA (accelerators, through PJRT plugins), MPI (several processes)
//   Graph ← ONNX (export)                   Graph ← Import (ONNX, PyTorch's files)
//   everything ← Anneal (re-exports; Classifier, where Data and Engine meet) ← AnnealCLI
let package = Package(
    name: "anneal",
    products: [
        .library(name: "Anneal", targets: ["Anneal"]),
        .executable(name: "anneal", targets: ["AnnealCLI"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
    ],
    targets: [
        // System libraries.
        .systemLibrary(name: "CDNNL", providers: [.apt(["libdnnl-dev"])]),
        .systemLibrary(name: "CJPEG", pkgConfig: "libjpeg", providers: [.apt(["libjpeg62-turbo-dev"])]),
        .systemLibrary(name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        // Declarations only: plugins are loaded at run time.
        .systemLibrary(name: "CPJRT"),
        // A square root that loops in Swift are vectorised with.
        .systemLibrary(name: "CAnnealMath"),

        // Our C: the process's signals, memory and threads, the hot kernels, a plain face of oneDNN's versions, the codecs
        // (setjmp stays in C). Cairo, libtiff, libwebp and giflib are loaded when they are needed, and not linked.
        .target(name: "CAnnealSystem", linkerSettings: [.linkedLibrary("gomp")]),
        .target(name: "CAnnealKernels", dependencies: ["CAnnealSystem"], linkerSettings: [.linkedLibrary("m")]),
        .target(name: "CAnnealImage", dependencies: ["CAnnealSystem", "CJPEG", "CPNG", "CZlib"]),
        .target(name: "CAnnealCairo", dependencies: ["CAnnealSystem"]),
        .target(name: "COneDNN", dependencies: ["CDNNL", "CAnnealKernels"], linkerSettings: [.linkedLibrary("dnnl")]),

        .target(name: "AnnealCore", dependencies: ["CAnnealSystem"]),
        .target(name: "AnnealGraph", dependencies: ["AnnealCore"]),
        .target(name: "AnnealNetworks", dependencies: ["AnnealGraph"]),
        .target(name: "AnnealData", dependencies: ["AnnealCore", "CAnnealImage"]),
        // Programs, passes, and the seam to engines.
        .target(name: "AnnealCompiler", dependencies: ["AnnealGraph"]),
        .target(name: "AnnealCPU", dependencies: ["AnnealCompiler", "COneDNN", "CAnnealKernels"]),
        // An engine of plain loops, which the others are tested against.
        .target(name: "AnnealReference", dependencies: ["AnnealCompiler"]),
        .target(name: "AnnealXLA", dependencies: ["AnnealCompiler", "CPJRT"]),
        // Several processes, through Open MPI, which is loaded at run time.
        .target(name: "AnnealMPI", dependencies: ["AnnealCompiler"]),
        .target(name: "AnnealTrain", dependencies: ["AnnealCompiler", "CAnnealMath", "CZlib"]),
        .target(name: "AnnealReport", dependencies: ["AnnealTrain", "CAnnealCairo"]),
        .target(name: "AnnealONNX", dependencies: ["AnnealGraph"]),
        // ONNX models and PyTorch's weights to MXNet's graphs.
        .target(name: "AnnealImport", dependencies: ["AnnealGraph"]),
        .target(
            name: "Anneal",
            dependencies: [
                "AnnealCore", "AnnealGraph", "AnnealNetworks", "AnnealData", "AnnealCompiler", "AnnealCPU",
                "AnnealReference", "AnnealXLA", "AnnealMPI", "AnnealTrain", "AnnealReport", "AnnealONNX",
                "AnnealImport",
            ]),
        .executableTarget(
            name: "AnnealCLI",
            dependencies: [
                "Anneal", "AnnealConfiguration", "AnnealMPI", "CAnnealSystem",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),
        // Flags from YAML files.
        .target(name: "AnnealConfiguration", dependencies: ["AnnealReport", "Yams"]),
        // Repeats MXNet-made cases: `make conformance`.
        .target(name: "AnnealConformance", dependencies: ["Anneal", "AnnealImport", "AnnealXLA"]),
        .executableTarget(name: "anneal-conformance", dependencies: ["AnnealConformance"]),
        // Writes models for ONNX Runtime to compute: `make check-onnx`.
        .executableTarget(name: "anneal-onnx-cases", dependencies: ["AnnealConformance"]),
        // Compiles networks for GPUs that are not here: `make check-gpu-compile`.
        .executableTarget(name: "anneal-gpu-compile", dependencies: ["Anneal", "AnnealXLA"]),
        // Damages every file that is read and watches the readers: `make fuzz`. Its malloc counts.
        .target(name: "CAnnealFuzz"),
        .executableTarget(
            name: "anneal-fuzz",
            dependencies: [
                "Anneal", "AnnealConfiguration", "AnnealImport", "CAnnealFuzz", "CZlib",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),
        // As in packages of their own: what they use is public.
        .executableTarget(
            name: "train-classifier", dependencies: ["Anneal"], path: "Examples/TrainClassifier", packageAccess: false),
        .target(name: "ListEngine", dependencies: ["Anneal"], path: "Examples/ListEngine", packageAccess: false),
        .testTarget(name: "ListEngineTests", dependencies: ["Anneal", "ListEngine"], packageAccess: false),

        .testTarget(name: "AnnealCoreTests", dependencies: ["AnnealCore"]),
        .testTarget(name: "AnnealDataTests", dependencies: ["AnnealData", "AnnealConformance"]),
        // Passes, without an engine's kernels.
        .testTarget(name: "AnnealCompilerTests", dependencies: ["AnnealCompiler", "AnnealNetworks"]),
        // Kernels, also against the reference engine's.
        .testTarget(
            name: "AnnealCPUTests",
            dependencies: ["Anneal", "AnnealConformance", "AnnealReference", "AnnealXLA", "CAnnealKernels", "COneDNN"]),
        .testTarget(name: "AnnealFuzzTests", dependencies: ["AnnealCore", "anneal-fuzz"]),
        .testTarget(name: "AnnealGraphTests", dependencies: ["AnnealGraph"]),
        .testTarget(name: "AnnealNetworksTests", dependencies: ["AnnealNetworks"]),
        .testTarget(name: "AnnealONNXTests", dependencies: ["AnnealONNX", "AnnealNetworks"]),
        .testTarget(name: "AnnealImportTests", dependencies: ["AnnealImport", "AnnealConformance"]),
        .testTarget(name: "AnnealReportTests", dependencies: ["Anneal", "CAnnealCairo"]),
        .testTarget(
            name: "AnnealTrainTests",
            dependencies: ["AnnealTrain", "AnnealConformance", "AnnealReference", "AnnealXLA"]),
        // Texts of programs, plugins that fail, and where plugins are looked for.
        .testTarget(name: "AnnealXLATests", dependencies: ["AnnealXLA", "AnnealNetworks", "CPJRT"]),
        .testTarget(name: "AnnealEndToEndTests", dependencies: ["Anneal", "AnnealCLI", "AnnealConfiguration"]),
        .testTarget(name: "AnnealKernelsTests", dependencies: ["CAnnealKernels", "CAnnealSystem"]),
    ]
)
