/*!40101 SET NAMES binary*/;
/*!40014 SET FOREIGN_KEY_CHECKS=0*/;
/*!40101 SET SQL_MODE='NO_AUTO_VALUE_ON_ZERO,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION'*/;
/*!40103 SET TIME_ZONE='+00:00' */;
INSERT INTO `item` (`id`,`name`,`price`,`d`,`data`,`bits`,`at`,`stamp`,`kind`,`doc`) VALUES(0,"zero",0.000000,0,"","\0\0",_binary "0000-00-00 00:00:00.000",_binary "1970-01-01 00:00:01.000","a",_binary "{}")
,(1,"it\'s \"a\\b\"\n\r\0\Z	日本",-12345678901234.500000,0.00001,_binary "\0�\"\\\'\n","\n\'",_binary "2024-03-31 02:30:00.500",_binary "2024-10-27 00:30:00.001","b;c",_binary "{\"k\": [1, \"\\\"x\\\"\"]}")
,(18446744073709551615,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL)
;
