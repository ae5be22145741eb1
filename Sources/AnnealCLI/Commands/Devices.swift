import Anneal
import ArgumentParser
import Foundation

struct Devices: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the devices of this machine that networks can run on.",
        discussion: """
            anneal devices
            anneal train --devices cpu --threads 4 ...

            A device's instruction set is what Anneal's kernels use, its library what computes the rest; --threads says how
            many threads compute.
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

    @Option(help: ArgumentHelp("text or json, a line for each device.", valueName: "FORMAT"))
    var format = Format.text

    func run() throws {
        let devices = DeviceReport.all()
        switch format {
        case .text:
            var table = TextTable(
                ["Device", "Processor", "Cores", "Quota", "Threads", "Instructions", "Library", "Memory"],
                right: [2, 3, 4])
            for device in devices {
                table.add([
                    device.name, device.model, "\(device.cores)",
                    device.quota.map { String(format: "%.1f", $0) } ?? "none",
                    "\(device.threads)", device.instructions, device.library, "\(device.memory >> 30) GB",
                ])
            }
            print(table.text)
        case .json:
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            for device in devices { print(String(decoding: try encoder.encode(device), as: UTF8.self)) }
        }
    }
}
