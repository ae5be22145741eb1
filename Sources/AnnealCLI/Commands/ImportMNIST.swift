import Anneal
import ArgumentParser
import Foundation

/// Converts MNIST and Fashion-MNIST to RecordIO.
struct ImportMNIST: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import-mnist",
        abstract: "Convert MNIST's or Fashion-MNIST's idx files to records.",
        discussion:
            "Writes PREFIX.rec, PREFIX.idx and PREFIX.lst: gray PNG images, in the order of the files. Files may be gzipped."
    )

    @Option(help: ArgumentHelp("The images.", valueName: "FILE"))
    var images: String
    @Option(help: ArgumentHelp("Their labels.", valueName: "FILE"))
    var labels: String
    @Option(help: ArgumentHelp("New label for each old one, from 0 on, to merge classes.", valueName: "L0,L1,…"))
    var labelMap: String?
    @Argument(help: ArgumentHelp("Output file.", valueName: "PREFIX"), completion: .file())
    var prefix: String

    func run() throws {
        var data = try IDXDataset(images: images, labels: labels)
        if let labelMap {
            let map = labelMap.split(separator: ",").compactMap { UInt8($0) }
            guard map.count == labelMap.split(separator: ",").count else {
                throw UsageError(
                    "--label-map \(labelMap)", "is not a list of labels", suggestion: "write it as 0,1,0,2")
            }
            guard let largest = data.labels.max(), Int(largest) < map.count else {
                throw UsageError(
                    "--label-map", "has \(map.count) labels, the data's go up to \(data.labels.max() ?? 0)")
            }
            data = data.relabelled { map[Int($0)] }
        }
        let folder = Files.folder(of: prefix)
        if !folder.isEmpty { try Files.makeFolder(folder) }
        let progress = ProgressLine("Packing \(prefix).rec", total: data.count, unit: "images")
        try data.pack(to: prefix) { progress.update(done: $0) }
        progress.finish(
            "\(prefix).rec: \(data.count) images of 1,\(data.height),\(data.width), \(Set(data.labels).count) classes")
    }
}
