// Made by `npm run types` from openapi.json.
export interface paths {
    "/api/v1/channels": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the channels that this node follows and publishes */
        get: operations["getChannels"];
        put?: never;
        /** Follow a channel, create one, or import the key of one */
        post: operations["postChannels"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/channels/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show a channel */
        get: operations["getChannelsOne"];
        put?: never;
        post?: never;
        /** Unfollow a channel, or delete an own one */
        delete: operations["deleteChannelsOne"];
        options?: never;
        head?: never;
        /** Change a channel */
        patch: operations["patchChannelsOne"];
        trace?: never;
    };
    "/api/v1/channels/{id}/entries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the entries of a channel, without their files */
        get: operations["getChannelsEntries"];
        put?: never;
        /** Add entries to an own channel */
        post: operations["postChannelsEntries"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/channels/{id}/entries/{entry}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Remove an entry from an own channel */
        delete: operations["deleteChannelsEntries"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/channels/{id}/publish": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Publish an own channel now */
        post: operations["postChannelsPublish"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/config": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the settings with their sources */
        get: operations["getConfig"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /** Change settings that take effect at once; changes are kept across restarts */
        patch: operations["patchConfig"];
        trace?: never;
    };
    "/api/v1/config/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Reset a setting */
        delete: operations["deleteConfig"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/entries/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show the catalogue's entries for an ID */
        get: operations["getEntriesOne"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Follow the node by server-sent events */
        get: operations["getEvents"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/folders": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List a folder of the host */
        get: operations["getFolders"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Report whether the node is healthy; status 503 if not */
        get: operations["getHealth"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/history": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Rates over time */
        get: operations["getHistory"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/lease": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A lease that lasts for as long as this answer is read */
        get: operations["getLease"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/limits": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show the limits of the node */
        get: operations["getLimits"];
        /** Set the limits of the node */
        put: operations["putLimits"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /** Change the limits of the node in one direction or both */
        patch: operations["patchLimits"];
        trace?: never;
    };
    "/api/v1/matches": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Tell what of the content is in a folder already; this reads the files there */
        post: operations["postMatches"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/network": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Report whether strangers can reach this node */
        get: operations["getNetwork"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/network/test": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Test again whether strangers can reach this node; takes up to 25 seconds */
        post: operations["postNetworkTest"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/node": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Describe the node */
        get: operations["getNode"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/password": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Whether the page has a password */
        get: operations["getPassword"];
        /** Set the password of the page */
        put: operations["putPassword"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/preview": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Preview a link or torrent without adding it */
        post: operations["postPreview"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/search": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Search the transfers of this node and the channels it follows */
        get: operations["getSearch"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/shares": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Share a file or folder */
        post: operations["postShares"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/sign-in": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Create a link that signs in one browser */
        post: operations["postSign-in"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/stats": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show the totals of the node */
        get: operations["getStats"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List transfers, oldest first */
        get: operations["getTransfers"];
        put?: never;
        /** Fetch the content that a link or torrent names */
        post: operations["postTransfers"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show a transfer */
        get: operations["getTransfersOne"];
        put?: never;
        post?: never;
        /** Remove a transfer */
        delete: operations["deleteTransfersOne"];
        options?: never;
        head?: never;
        /** Change limits and goal of a transfer */
        patch: operations["patchTransfersOne"];
        trace?: never;
    };
    "/api/v1/transfers/{id}/archive": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Download all files of a transfer as one archive, also while they are being fetched */
        get: operations["getTransfersArchive"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}/discovery": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show the sources of peers of a transfer */
        get: operations["getTransfersDiscovery"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}/files": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the files of a transfer */
        get: operations["getTransfersFiles"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /** Set the priorities of files */
        patch: operations["patchTransfersFiles"];
        trace?: never;
    };
    "/api/v1/transfers/{id}/files/{file}/content": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Read a file, also while it is being fetched */
        get: operations["getTransfersFilesContent"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}/log": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show the latest log lines of a transfer */
        get: operations["getTransfersLog"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Pause a transfer */
        post: operations["postTransfersPause"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}/peers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the connected peers */
        get: operations["getTransfersPeers"];
        put?: never;
        /** Add peers by address */
        post: operations["postTransfersPeers"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}/pieces": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show the state of every piece */
        get: operations["getTransfersPieces"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Resume a transfer */
        post: operations["postTransfersResume"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}/room": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Whether the rest of a transfer fits on its disk */
        get: operations["getTransfersRoom"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}/torrent": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Download the .torrent file of a transfer */
        get: operations["getTransfersTorrent"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}/verify": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Hash the data on disk again */
        post: operations["postTransfersVerify"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}/web-links": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Make a link to a transfer for browsers */
        post: operations["postTransfersWeb-links"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/uploads/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Upload a file to share it */
        post: operations["postUploads"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/web-links": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the links for browsers, oldest first */
        get: operations["getWeb-links"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/web-links/{link}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** End a link for browsers */
        delete: operations["deleteWeb-links"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        AddressReport: {
            /** Format: ip */
            address: string;
            /** @description how the verdict is known; empty where nothing is */
            evidence: string;
            interface: string;
            /** @description stable, temporary, deprecated, tentative or unknown */
            kind: string;
            /** Format: int32 */
            port: number;
            /** @description told to others, and in links */
            published: boolean;
            /** @description global, ula or link-local */
            scope: string;
            /** @enum {string} */
            tcp: "reachable" | "unreachable" | "unknown";
            /**
             * Format: date-time
             * @description of the evidence
             */
            time?: string;
            /** @enum {string} */
            udp: "reachable" | "unreachable" | "unknown";
            udp_evidence?: string;
            /** Format: date-time */
            udp_time?: string;
        };
        Addresses: {
            addresses: string[] | null;
        };
        Change: {
            goal?: components["schemas"]["Goal"];
            /** @description bytes per second, 0 for no limit; a direction that is left out stays */
            limits?: components["schemas"]["LimitChange"];
        };
        Channel: {
            about?: string;
            /** @description it is sealed, and this node does not have its secret */
            blind?: boolean;
            /** @description of a sealed channel: link for a node that mirrors it without being able to read it */
            blind_link?: string;
            /** @description ID of the catalogue in use */
            content?: string;
            /**
             * Format: int64
             * @description number of entries
             */
            entries: number;
            /** @description the latest error, one sentence */
            error?: string;
            /** @description identifier of the channel: its public key, 64 hex digits, or if its link has a salt, a hash of both */
            key: string;
            /**
             * Format: int64
             * @description entries that were not fetched because they do not fit or do not state their size
             */
            left?: number;
            /** @description link to follow it; of a sealed channel that this node can read, with the secret to read it */
            link: string;
            /**
             * Format: int64
             * @description most bytes of its entries that are fetched automatically; 0 is none
             */
            mirror: number;
            /**
             * Format: int64
             * @description bytes of the mirror that are in use
             */
            mirrored?: number;
            name: string;
            /** @description this node has its key */
            own: boolean;
            /** @description it has unpublished changes, or a newer version is being fetched */
            pending: boolean;
            restoring: boolean;
            /** @description only those whose link has its secret can read its name and entries; others see IDs and sizes */
            sealed: boolean;
            /**
             * Format: int64
             * @description sequence number of the newest version that was seen; -1 for none
             */
            seq: number;
            /**
             * Format: date-time
             * @description when this version arrived
             */
            updated?: string;
        };
        ChannelChange: {
            /** @description new description of an own channel */
            about?: string;
            /**
             * Format: int64
             * @description most bytes to mirror of a followed channel; 0 stops mirroring
             */
            mirror?: number;
            /** @description new name of an own channel */
            name?: string;
        };
        DHTReport: {
            /**
             * Format: int64
             * @description of them, heard in the last 15 minutes
             */
            answering: number;
            /**
             * Format: int64
             * @description known
             */
            nodes: number;
            problem?: string;
        };
        Entry: {
            about?: string;
            /** Format: int64 */
            bytes: number;
            channel?: string;
            files?: components["schemas"]["EntryFile"][] | null;
            id: string;
            link: string;
            name: string;
            /** @description only those who have its key can read it: the key is in its link, or this node does not have it and the name is empty */
            sealed?: boolean;
            tags?: string[] | null;
            /** Format: date-time */
            time?: string;
        };
        EntryFile: {
            path: string;
            /** Format: int64 */
            size: number;
        };
        ErrorDetail: {
            /** @description Where the error occurred, e.g. 'body.items[3].tags' or 'path.thing-id' */
            location?: string;
            /** @description Error message text */
            message?: string;
            /** @description The value at the given location */
            value?: unknown;
        };
        Event: {
            by?: components["schemas"]["Fetcher"];
            /** Format: int64 */
            count?: number;
            event: string;
            file?: components["schemas"]["Found"];
            id: string;
            message?: string;
            source?: string;
            /** Format: date-time */
            time: string;
            transfer?: components["schemas"]["Transfer"];
            was?: string;
        };
        FetchRequest: {
            /** @description complete files that are there already in place, if some piece of them is right; otherwise right ones are put beside them */
            adopt?: boolean;
            /** @description globs of the paths to download; empty is all */
            files?: string[] | null;
            /** @description when to stop seeding; without it, the node's setting */
            goal?: components["schemas"]["Goal"];
            /** @description pauses the fetch when it ends, see GET /lease */
            lease?: string;
            limits?: components["schemas"]["Limits"];
            /** @description magnet link, ID, or URL of a .torrent file */
            link?: string;
            no_trackers?: boolean;
            /** @description absolute path of the folder to download into; empty is the node's default */
            output?: string;
            paused?: boolean;
            /** @description download in order */
            sequential?: boolean;
            /** @description content of a .torrent file, base64 */
            torrent?: string;
        };
        Fetcher: {
            address: string;
            client: string;
        };
        File: {
            /** Format: int64 */
            bytes: number;
            disk?: string;
            /** Format: int64 */
            index: number;
            named?: string;
            path: string;
            /** Format: int32 */
            priority: number;
            /** Format: int64 */
            total: number;
            windows?: string;
        };
        Folder: {
            /** @description folders first, by name; without hidden entries */
            entries: components["schemas"]["FolderEntry"][];
            /**
             * Format: int64
             * @description number of entries that are not listed because there are too many
             */
            more?: number;
            /** @description empty at the top */
            parent?: string;
            path: string;
        };
        FolderEntry: {
            folder: boolean;
            name: string;
            /**
             * Format: int64
             * @description size of a file in bytes
             */
            size: number;
        };
        Found: {
            beside?: string;
            /** Format: int64 */
            index: number;
            /** Format: int64 */
            length: number;
            path: string;
            /** Format: int64 */
            right: number;
        };
        GatewayProblem: {
            error: string;
            /** @description PCP, NAT-PMP or UPnP */
            method: string;
        };
        Goal: {
            /** Format: int64 */
            for?: number;
            none?: boolean;
            /** Format: double */
            ratio?: number;
        };
        Health: {
            ok: boolean;
            /** @description sentences; not every problem makes the node unhealthy */
            problems: string[] | null;
        };
        History: {
            /** @description bytes per second */
            down: number[];
            /**
             * Format: date-time
             * @description end of the last step
             */
            end: string;
            /**
             * Format: int64
             * @description seconds from one rate to the next
             */
            step: number;
            /** @description bytes per second */
            up: number[];
        };
        Hit: {
            about?: string;
            /** Format: int64 */
            bytes: number;
            channel?: string;
            files?: components["schemas"]["EntryFile"][] | null;
            id: string;
            link: string;
            name: string;
            /** Format: double */
            rank: number;
            /** @description only those who have its key can read it: the key is in its link, or this node does not have it and the name is empty */
            sealed?: boolean;
            snippet?: string;
            tags?: string[] | null;
            /** Format: date-time */
            time?: string;
        };
        IPv4Report: {
            /** @description in links */
            addresses: string[] | null;
            /** @description ways of asking the router for a port that do not work, and why */
            gateways: components["schemas"]["GatewayProblem"][] | null;
            /** @description absent where the router has mapped no port */
            mapping?: components["schemas"]["PortMapping"];
        };
        Info: {
            /** @description the node's addresses as in links, best first */
            addresses: string[] | null;
            /**
             * Format: int64
             * @description version of the API
             */
            api: number;
            /** @description identifies this start of the node */
            boot: string;
            daemon: boolean;
            /**
             * @description how the node serves web links; empty if it does not
             * @enum {string}
             */
            door?: "http" | "https";
            /** @description default folder of downloads */
            downloads: string;
            /**
             * Format: int64
             * @description free bytes in the default folder of downloads; -1 if unknown
             */
            free: number;
            /** @description ADDRESS:PORT of the listeners for peers (TCP) and the DHT (UDP) */
            listen: string[] | null;
            /** @description shoal */
            name: string;
            /** Format: int64 */
            pid: number;
            /** @description problems of the node's own files, such as channel keys and credentials, each with what to do */
            problems?: string[] | null;
            /** @description path of the Unix socket of this API */
            socket: string;
            /** Format: date-time */
            started: string;
            /** @description state directory */
            state: string;
            /** @description folder of the files that browsers uploaded; a share of an entry of this folder can be removed with its files */
            uploads: string;
            /** @description version of the program */
            version: string;
            /** @description URL of the web page; empty if it is not served */
            web: string;
        };
        Kept: {
            part?: boolean;
            path: string;
            reason: string;
        };
        LeftOut: {
            /** Format: int64 */
            count: number;
            items: components["schemas"]["Omitted"][] | null;
        };
        LimitChange: {
            /** Format: int64 */
            down?: number;
            /** Format: int64 */
            up?: number;
        };
        Limits: {
            /** Format: int64 */
            down: number;
            /** Format: int64 */
            up: number;
        };
        LogLine: {
            /** @description of the event fetched: the peer that has all of the content after this node uploaded to it */
            by?: components["schemas"]["Fetcher"];
            /** Format: int64 */
            count?: number;
            event: string;
            /** @description of the event beside: the file that was there */
            file?: components["schemas"]["Found"];
            message?: string;
            source?: string;
            /** Format: date-time */
            time: string;
        };
        Match: {
            /**
             * Format: int64
             * @description bytes of these files
             */
            bytes: number;
            /**
             * Format: int64
             * @description files that have the names of the content
             */
            files: number;
            /**
             * Format: int64
             * @description bytes of them in pieces that are right; 0 if the file list is unknown
             */
            right: number;
        };
        MatchRequest: {
            /** @description magnet link, ID, or URL of a .torrent file */
            link?: string;
            /** @description absolute path of the folder it would be downloaded into */
            output: string;
            /** @description content of a .torrent file, base64 */
            torrent?: string;
        };
        NewChannel: {
            about?: string;
            /** @description link of the channel to follow: magnet:?xs=urn:btpk:KEY, or a bare key; with x.k=SECRET, a sealed channel can be read */
            link?: string;
            /**
             * Format: int64
             * @description fetch its entries automatically, up to this many bytes; without it, a channel that is already followed keeps its value
             */
            mirror?: number;
            /** @description name of the channel to create */
            name?: string;
            /** @description create a sealed channel: only those who get its full link can read its name and entries */
            sealed?: boolean;
            /** @description key to import, as shoal channel export writes it */
            secret?: string;
        };
        NewEntries: {
            about?: string;
            /** @description transfers of this node */
            ids?: string[] | null;
            /** @description links of content that this node need not have */
            links?: string[] | null;
            tags?: string[] | null;
        };
        NewWebLink: {
            /**
             * Format: date-time
             * @description when the link ends; without it, with the share
             */
            expires?: string;
            /**
             * Format: int64
             * @description end it after so many downloads
             */
            max_downloads?: number;
            /** @description ask people for this password */
            password?: string;
        };
        NodeLimits: {
            /** Format: int64 */
            down: number;
            now: components["schemas"]["Limits"];
            /** @description why now differs from the limits that were set */
            reason?: string;
            /** @description source of the limits that were set */
            source: string;
            /** Format: int64 */
            up: number;
        };
        Omitted: {
            path: string;
            reason: string;
        };
        Page: {
            entries: components["schemas"]["Entry"][] | null;
            /** Format: int64 */
            total: number;
        };
        Password: {
            password: string;
        };
        PasswordState: {
            set: boolean;
        };
        Peer: {
            address: string;
            client: string;
            /** Format: int64 */
            down: number;
            /** Format: int64 */
            downloaded: number;
            encrypted: boolean;
            incoming: boolean;
            /** Format: double */
            progress: number;
            source: string;
            /** Format: int64 */
            up: number;
            /** Format: int64 */
            uploaded: number;
            utp: boolean;
        };
        Pieces: {
            /** Format: int64 */
            length: number;
            state: string;
        };
        Pinhole: {
            /** Format: ip */
            address: string;
            error?: string;
            /** @description address of the router that was asked */
            gateway: string;
            /** @description PCP or UPnP */
            method: string;
            /** Format: int32 */
            port: number;
            /** @enum {string} */
            protocol: "tcp" | "udp";
            /**
             * Format: date-time
             * @description when the lease ends unless it is renewed; absent where it is not open
             */
            until?: string;
        };
        PortMapping: {
            error?: string;
            /** @description the router's address and port */
            external: string;
            /**
             * Format: ip
             * @description address of the router
             */
            gateway: string;
            /** @description this node's */
            internal: string;
            /** @description PCP, NAT-PMP or UPnP */
            method: string;
            /**
             * Format: date-time
             * @description when the lease ends unless it is renewed; absent where it has no end
             */
            until?: string;
        };
        Preview: {
            /** @description empty if the file list is unknown */
            files: components["schemas"]["File"][] | null;
            /**
             * Format: int64
             * @description free bytes there; -1 if unknown
             */
            free: number;
            id: string;
            link: string;
            /**
             * Format: int64
             * @description bytes that stay free there: downloads wait below that
             */
            min_free: number;
            name: string;
            /** @description folder it would be downloaded into */
            output: string;
            /** @description addresses in the link */
            peers: string[] | null;
            present?: components["schemas"]["Transfer"];
            private: boolean;
            /** @description the link has the key of a sealed share; name, size and files of what is in it are unknown until a peer has sent them */
            sealed?: boolean;
            /**
             * Format: int64
             * @description bytes; 0 if unknown
             */
            size: number;
            trackers: string[] | null;
            web_seeds: string[] | null;
        };
        PreviewRequest: {
            /** @description magnet link, ID, or URL of a .torrent file */
            link?: string;
            /** @description content of a .torrent file, base64 */
            torrent?: string;
        };
        Priorities: {
            /** @description by file number: -1 skip, 0 normal, 1 high */
            priorities: {
                [key: string]: number;
            };
        };
        Problem: {
            /**
             * @description kind of error; the exit status of the command line depends on it
             * @enum {string}
             */
            code: "failed" | "usage" | "nobody" | "no-node" | "refused" | "disk" | "interrupted";
            /** @description what went wrong and, if possible, what to do about it */
            detail: string;
            errors?: components["schemas"]["ErrorDetail"][] | null;
            /**
             * Format: int64
             * @description HTTP status
             */
            status: number;
            /** @description short description of the type */
            title: string;
            /**
             * Format: uri-reference
             * @example /api/v1/problems/refused
             */
            type: string;
        };
        Removal: {
            /** @description files that stayed, and why: those that it did not make, those that were changed since, and without data those that are unfinished */
            kept: components["schemas"]["Kept"][] | null;
        };
        Report: {
            /** @description those in links first */
            addresses: components["schemas"]["AddressReport"][] | null;
            /** @description one sentence */
            answer: string;
            /** @description absent where the DHT is off */
            dht?: components["schemas"]["DHTReport"];
            /** @description ways of asking the router for pinholes that do not work, and why */
            gateways: components["schemas"]["GatewayProblem"][] | null;
            /** @description absent where IPv4 is off */
            ipv4?: components["schemas"]["IPv4Report"];
            /** @description what to do next */
            next: string;
            /** @description asked of the router, open or not */
            pinholes: components["schemas"]["Pinhole"][] | null;
            /** @description what others say our address is */
            seen: components["schemas"]["SeenAs"][] | null;
            /**
             * @description whether a stranger's TCP connection to an address in the links succeeds
             * @enum {string}
             */
            verdict: "reachable" | "unreachable" | "unknown";
            /** @description what this host lacks to reach others, and what would help; absent where nothing is lacking */
            warning?: string;
        };
        Results: {
            hits: components["schemas"]["Hit"][] | null;
            /** @description there are more matches than total: another word or filter tells them apart */
            more: boolean;
            /**
             * Format: int64
             * @description matches that were ranked, the newest 800 at most; limit and offset choose among them
             */
            total: number;
        };
        Room: {
            /**
             * Format: int64
             * @description free bytes; -1 if unknown
             */
            free: number;
            /**
             * Format: int64
             * @description bytes that stay free: downloads wait below that
             */
            min_free: number;
            /**
             * Format: int64
             * @description bytes that have yet to be written; 0 if the size is unknown
             */
            needed: number;
            /** @description on the disk that is written to */
            path: string;
        };
        SeenAs: {
            /** Format: ip */
            address: string;
            /** @enum {string} */
            by: "dht" | "peers";
            /**
             * Format: int64
             * @description how many said so; 0 for most of the DHT
             */
            count?: number;
        };
        Setting: {
            default: string;
            help: string;
            /** @description a change takes effect without a restart */
            live: boolean;
            name: string;
            /** @enum {string} */
            source: "flag" | "environment" | "file" | "saved" | "default";
            /** @description value in the form a user would write; a list is separated by commas */
            value: string;
            /** @description elements of a list */
            values?: string[] | null;
            /** @description name of the flag, the variable or the file */
            where?: string;
            /** @description the API can change it */
            writable: boolean;
        };
        ShareRequest: {
            /** @description share it although it is a home directory or holds one, which otherwise is a problem of type unconfirmed */
            confirm?: boolean;
            /** @description globs of names, or of paths below the folder, that are not shared; ** stands for any number of folders, and each must match something */
            exclude?: string[] | null;
            follow_symlinks?: boolean;
            /** @description when to stop seeding; without it, the node's setting */
            goal?: components["schemas"]["Goal"];
            /** @description describe the content for BitTorrent v2, too (BEP 52) */
            hybrid?: boolean;
            /** @description the lease is over once the link is known: the node keeps the share */
            keep?: boolean;
            /** @description ends the share when it ends, see GET /lease */
            lease?: string;
            limits?: components["schemas"]["Limits"];
            /** @description name in the link; empty takes that of the path */
            name?: string;
            /** @description file or folder, absolute */
            path: string;
            /**
             * Format: int64
             * @description bytes per piece, a power of two from 16 KiB; 0 chooses by the size of the content
             */
            piece_length?: number;
            /** @description do not seal it, although the node's setting sealed says so */
            plain?: boolean;
            /** @description never announce it (BEP 27) */
            private?: boolean;
            /** @description let only those read it who have the key, which is in the link */
            sealed?: boolean;
            /** @description refuse a folder with something that cannot be shared, instead of leaving that out */
            strict?: boolean;
        };
        SignIn: {
            /** @description sign-in link; works once and expires after two minutes */
            url: string;
        };
        Stats: {
            /**
             * Format: int64
             * @description open connections to peers
             */
            connections: number;
            /** Format: int64 */
            down: number;
            /** Format: int64 */
            downloaded: number;
            /**
             * Format: int64
             * @description free bytes in the default folder of downloads; -1 if unknown
             */
            free: number;
            limits: components["schemas"]["Limits"];
            /**
             * Format: int64
             * @description connections refused since the node started
             */
            refused: number;
            /** @description transfers by state */
            states: {
                [key: string]: number;
            };
            /** Format: int64 */
            transfers: number;
            /** Format: int64 */
            up: number;
            /** Format: int64 */
            uploaded: number;
        };
        Transfer: {
            /** Format: date-time */
            added: string;
            /** Format: int64 */
            bytes: number;
            channel?: string;
            code?: string;
            /** Format: date-time */
            completed?: string;
            /** Format: int64 */
            down: number;
            /** Format: int64 */
            downloaded: number;
            /** Format: int64 */
            files: number;
            goal: components["schemas"]["Goal"];
            /** Format: int64 */
            hidden?: number;
            id: string;
            /** Format: int64 */
            ipv4_only?: number;
            left_out?: components["schemas"]["LeftOut"];
            limits: components["schemas"]["Limits"];
            link: string;
            /** Format: date-time */
            looked?: string;
            name: string;
            own: boolean;
            path: string;
            /** Format: int64 */
            peers: number;
            reason?: string;
            /** @enum {string} */
            seal?: "open" | "blind";
            /** Format: int64 */
            seeds: number;
            /** Format: int64 */
            size: number;
            state: string;
            /** Format: int64 */
            total: number;
            /** Format: int64 */
            up: number;
            /** Format: int64 */
            uploaded: number;
            v1?: string;
            v2?: string;
        };
        Uploaded: {
            /** Format: int64 */
            bytes: number;
            /** @description first element of the path of its folder; pass it with the next file of the same folder */
            folder?: string;
            /** @description path of the file */
            path: string;
            /** @description path to share: that of the folder if there is one, else that of the file */
            root: string;
        };
        Way: {
            /** @description a request is running */
            busy?: boolean;
            /** @description why the last attempt failed */
            error?: string;
            /**
             * Format: int64
             * @description new addresses it returned since the node started; for a tracker, the addresses in its last answer
             */
            found: number;
            /**
             * Format: date-time
             * @description time of the last answer
             */
            last?: string;
            /** @description URL of a tracker */
            name?: string;
            /**
             * Format: date-time
             * @description time of the next request
             */
            next?: string;
            /** @description the source is used for this transfer */
            on: boolean;
            source: string;
        };
        WebLink: {
            /** Format: date-time */
            created: string;
            /**
             * Format: int64
             * @description downloads of which every byte was sent, of a file or an archive
             */
            downloads: number;
            /** @description the URL is https */
            encrypted?: boolean;
            /** @description it expired, or its downloads are used up */
            ended?: boolean;
            /** Format: date-time */
            expires?: string;
            /** @description names the link to its owner; nobody can fetch with it */
            id: string;
            /**
             * Format: int64
             * @description ends after so many downloads; 0 is no limit
             */
            max_downloads?: number;
            /** @description the same at other addresses of the node, best first */
            others?: string[] | null;
            /** @description people are asked for a password */
            password?: boolean;
            transfer: string;
            /** @description what to give to others; empty while the node serves no web links */
            url: string;
        };
        Welcome: {
            /**
             * Format: int64
             * @description newest version of the API
             */
            api: number;
            name: string;
            /**
             * Format: int64
             * @description oldest version of the API that the node supports
             */
            oldest: number;
            version: string;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    getChannels: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Channel"][] | null;
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postChannels: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewChannel"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Channel"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getChannelsOne: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description key, may be shortened while unique, or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Channel"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    deleteChannelsOne: {
        parameters: {
            query?: {
                /** @description allow the deletion of an own channel and its key */
                own?: boolean;
            };
            header?: never;
            path: {
                /** @description key, may be shortened while unique, or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Channel"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    patchChannelsOne: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description key, may be shortened while unique, or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ChannelChange"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Channel"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getChannelsEntries: {
        parameters: {
            query?: {
                limit?: number;
                /** @description number of entries to skip */
                offset?: number;
            };
            header?: never;
            path: {
                /** @description key, may be shortened while unique, or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postChannelsEntries: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description key, may be shortened while unique, or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewEntries"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Channel"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    deleteChannelsEntries: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description key, may be shortened while unique, or name */
                id: string;
                /** @description ID, 40 hex digits */
                entry: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Channel"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postChannelsPublish: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description key, may be shortened while unique, or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Channel"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getConfig: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Setting"][] | null;
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    patchConfig: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    [key: string]: string;
                };
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Setting"][] | null;
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    deleteConfig: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getEntriesOne: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, or the beginning of one */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Entry"][] | null;
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getEvents: {
        parameters: {
            query?: {
                /** @description topics, separated by commas: peers:ID, pieces:ID, files:ID, log:ID, discovery:ID, node */
                topics?: string;
                /** @description only these IDs, separated by commas */
                transfers?: string;
                /** @description include the totals of the node */
                stats?: boolean;
            };
            header?: {
                /** @description continue after this event */
                "Last-Event-ID"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Follow the node by server-sent events */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getFolders: {
        parameters: {
            query?: {
                /** @description absolute path; without it, the user's home folder */
                path?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Folder"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getHealth: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getHistory: {
        parameters: {
            query?: {
                /** @description the last hour by seconds, the last day by minutes, or the last 31 days by hours */
                span?: "hour" | "day" | "month";
                /** @description ID of a transfer, may be shortened while unique; without it, the whole node */
                transfer?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["History"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getLease: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A lease that lasts for as long as this answer is read */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": string;
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getLimits: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NodeLimits"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    putLimits: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Limits"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NodeLimits"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    patchLimits: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["LimitChange"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NodeLimits"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postMatches: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["MatchRequest"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Match"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getNetwork: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Report"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postNetworkTest: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Report"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getNode: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Info"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getPassword: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PasswordState"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    putPassword: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Password"];
            };
        };
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postPreview: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PreviewRequest"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Preview"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getSearch: {
        parameters: {
            query?: {
                /** @description query: words, "phrases", -not, file:, tag:, channel:NAME, type:video, size:>1G, since:2026-01, before:2026 */
                q?: string;
                /** @description only from this channel, by its key; me is this node */
                channel?: string;
                /** @description number of hits to return; 50 by default */
                limit?: number;
                /** @description number of hits to skip */
                offset?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Results"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postShares: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ShareRequest"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Transfer"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "postSign-in": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SignIn"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getStats: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Stats"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTransfers: {
        parameters: {
            query?: {
                /** @description fields to return, separated by commas; without it, all */
                fields?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Transfer"][];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postTransfers: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["FetchRequest"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Transfer"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTransfersOne: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Transfer"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    deleteTransfersOne: {
        parameters: {
            query?: {
                /** @description also delete downloaded files, or the copy that a browser uploaded; files shared from their own folder are never deleted */
                data?: boolean;
            };
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Removal"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    patchTransfersOne: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Change"];
            };
        };
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTransfersArchive: {
        parameters: {
            query?: {
                format?: "zip" | "tar";
                /** @description only the files in this folder of the transfer */
                path?: string;
            };
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Download all files of a transfer as one archive, also while they are being fetched */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": string;
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTransfersDiscovery: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Way"][] | null;
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTransfersFiles: {
        parameters: {
            query?: {
                /** @description fields to return, separated by commas; without it, all */
                fields?: string;
            };
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["File"][];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    patchTransfersFiles: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Priorities"];
            };
        };
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTransfersFilesContent: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
                /** @description number of the file, from 0 */
                file: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Read a file, also while it is being fetched */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": string;
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTransfersLog: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LogLine"][] | null;
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postTransfersPause: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTransfersPeers: {
        parameters: {
            query?: {
                /** @description fields to return, separated by commas; without it, all */
                fields?: string;
            };
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Peer"][];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postTransfersPeers: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Addresses"];
            };
        };
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTransfersPieces: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Pieces"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postTransfersResume: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTransfersRoom: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Room"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTransfersTorrent: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Download the .torrent file of a transfer */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/x-bittorrent": string;
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postTransfersVerify: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "postTransfersWeb-links": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, v1 or v2, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewWebLink"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebLink"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postUploads: {
        parameters: {
            query?: {
                /** @description path of the folder that the file belongs to, with slashes */
                folder?: string;
                /** @description an earlier upload created the first element of folder; without it, a new folder is created, under another name if the name is taken */
                join?: boolean;
            };
            header?: never;
            path: {
                /** @description name of the file */
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/octet-stream": string;
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Uploaded"];
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "getWeb-links": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebLink"][] | null;
                };
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "deleteWeb-links": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID of the link */
                link: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request failed */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
}
